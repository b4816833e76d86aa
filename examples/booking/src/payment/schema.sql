-- What was answered to each effect key and round. A tombstone is the round 0 with outcome 'void': it bars all rounds.
create table if not exists fence (
  saga     text    not null,
  node     text    not null,  -- node path and direction: the effect key inside the saga
  round    integer not null,
  request  text    not null,  -- SHA-256 of the request's bytes
  outcome  text    not null check (outcome in ('done', 'refused', 'void')),
  answer   text    not null,
  primary key (saga, node, round)
) strict, without rowid;

-- Every charge, once. Its reference is `pay-` and the id.
create table if not exists ledger (
  id    integer primary key,
  trip  text    not null,
  cents integer not null
) strict;
