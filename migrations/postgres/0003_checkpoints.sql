-- One row for each shard that a projection reads: the last record of the log that counted and is in its tables.
-- Moved by compare-and-set on log_offset and epoch only, in the transaction that writes the rows. Never deleted.
-- Rewritten with every batch: there is room beside each row, and what is dead goes early.
create table palinode_checkpoint (
  projection text    collate "C" not null,
  version    integer not null,
  service    text    collate "C" not null,
  shard      integer not null,
  log_id     uuid    not null,
  log_offset bigint  not null,
  term       bigint  not null,
  claim_id   uuid    not null,
  pseq       bigint  not null,
  digest     bytea   not null,
  time_us    bigint  not null,  -- of the last commit, 0 before the first
  epoch      bigint  not null,  -- raised by every runner that takes over
  runner     text    not null,  -- who took over last, for people
  state      text    not null,  -- 'live', or why it stands still, for people
  primary key (projection, version, service, shard)
) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
