create table if not exists {trip} (
  id         text   collate "C" primary key,
  phase      text   not null,  -- running, waiting, undoing, stuck, parked; completed, compensated, killed
  taken_back text,             -- why: refused, cancelled, expired
  refused_at text,             -- the step
  began_us   bigint,
  ended_us   bigint
) with (fillfactor = 70);

create index if not exists {trip}_waiting on {trip} (id) where phase = 'waiting';

create or replace view {trip_outcome} as
select id,
  case when phase <> 'compensated' or taken_back = 'refused' then phase else taken_back end as outcome,
  refused_at, began_us, ended_us
from {trip};
