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
  time_us    integer not null,
  epoch      integer not null,
  runner     text,
  state      text    not null,
  primary key (projection, version, service, shard)
) strict, without rowid;
