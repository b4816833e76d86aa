-- One row for each shard that a projection reads: the last record of the log that counted and is in its tables.
-- Moved by compare-and-set on log_offset and epoch only, in the transaction that writes the rows. Never deleted.
create table palinode_checkpoint (
  projection text    not null,
  version    integer not null,
  service    text    not null,
  shard      integer not null,
  log_id     text    not null,
  log_offset integer not null,
  term       integer not null,
  claim_id   text    not null,
  pseq       integer not null,
  digest     text    not null,
  time_us    integer not null,  -- of the last commit, 0 before the first
  epoch      integer not null,  -- raised by every runner that takes over
  runner     text    not null,  -- who took over last, for people
  state      text    not null,  -- 'live', or why it stands still, for people
  primary key (projection, version, service, shard)
) strict, without rowid;
