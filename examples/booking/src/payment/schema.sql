-- Every charge, once. Its reference is `pay-` and the id.
create table if not exists ledger (
  id    integer primary key,
  trip  text    not null,
  cents integer not null
) strict;
