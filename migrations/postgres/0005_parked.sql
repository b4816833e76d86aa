-- Keys that are set aside because an event of theirs cannot be taken. Written in the transaction that moves the
-- checkpoint past that event.
create table palinode_parked (
  projection text    collate "C" not null,
  version    integer not null,
  service    text    collate "C" not null,
  shard      integer not null,
  key        text    collate "C" not null,
  since_pseq bigint  not null,  -- commit of the first event that is held
  cause      text    not null,  -- what failed, without the data: one bug is one cause
  error      text    not null,  -- what it said last, and about which event
  attempts   bigint  not null,  -- how often the first held event was tried
  state      text    not null,  -- 'parked', or 'resuming'
  parked_us  bigint  not null,
  primary key (projection, version, service, shard, key)
);

-- Readers join by the key.
create index palinode_parked_key on palinode_parked (projection, key);

-- The events that parked keys hold back, by their place in the log.
create table palinode_held (
  projection text    collate "C" not null,
  version    integer not null,
  service    text    collate "C" not null,
  shard      integer not null,
  key        text    collate "C" not null,
  pseq       bigint  not null,
  idx        bigint  not null,
  log_offset bigint  not null,
  primary key (projection, version, service, shard, key, pseq, idx)
);

create index palinode_held_commit on palinode_held (projection, version, service, shard, pseq);

-- The parked keys of the versions that readers see: rows of these keys are stale.
create view palinode_stale as
select parked.projection, parked.service, parked.shard, parked.key, parked.since_pseq, parked.cause, parked.parked_us
from palinode_parked as parked natural join palinode_active;

-- What people did to read models, written in the transaction that did it.
create table palinode_read_audit (
  number     bigint  generated always as identity primary key,
  at_us      bigint  not null,
  projection text    collate "C" not null,
  version    integer not null,
  verb       text    not null,  -- retry, retry-cause, skip, discard, swap, remove
  about      text    not null,  -- which shard and key, which event, which version
  by         text    not null,
  why        text    not null
);
