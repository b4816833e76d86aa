-- One row a shard: the position its snapshot stands for. Replaced by compare-and-set only.
create table palinode_snapshot (
  service     text    not null,
  shard       integer not null,
  position    text    not null,  -- JSON: log id, offset, term, claim, pseq, digest
  pseq        integer not null,  -- of the position, for people and for joins
  shard_state text    not null,  -- JSON: counters of the channels, horizon, last commit time
  crc         integer not null,  -- CRC-32C of position and shard state
  primary key (service, shard)
) strict, without rowid;

-- What the snapshot holds, piece by piece: entities, ids, timers, open sends, runs.
create table palinode_snapshot_row (
  service text    not null,
  shard   integer not null,
  section text    not null,
  key     text    not null,
  pseq    integer not null,  -- of the commit that last changed it
  crc     integer not null,  -- CRC-32C of section, key, pseq and value
  value   blob    not null,
  primary key (service, shard, section, key)
) strict, without rowid;
