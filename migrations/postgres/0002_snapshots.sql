-- One row a shard: the position its snapshot stands for. Replaced by compare-and-set only.
create table palinode_snapshot (
  service     text    collate "C" not null,
  shard       integer not null,
  log_id      uuid    not null,
  log_offset  bigint  not null,
  term        bigint  not null,
  claim_id    uuid    not null,
  pseq        bigint  not null,
  digest      bytea   not null,
  shard_state text    not null,  -- JSON: counters of the channels, horizon, last commit time
  crc         bigint  not null,  -- CRC-32C of position and shard state
  primary key (service, shard)
) with (fillfactor = 50);

-- What the snapshot holds, piece by piece: entities, ids, timers, open sends, runs.
create table palinode_snapshot_row (
  service text    collate "C" not null,
  shard   integer not null,
  section text    collate "C" not null,
  key     bytea   not null,  -- UTF-8, any character
  pseq    bigint  not null,  -- of the commit that last changed it
  crc     bigint  not null,  -- CRC-32C of section, key, pseq and value
  value   bytea   not null,
  primary key (service, shard, section, key)
) with (fillfactor = 85);
