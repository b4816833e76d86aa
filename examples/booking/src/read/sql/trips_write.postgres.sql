insert into {trip} as old (id, phase, taken_back, refused_at, began_us, ended_us)
select value ->> 0, value ->> 1, value ->> 2, value ->> 3, (value ->> 4)::bigint, (value ->> 5)::bigint
from jsonb_array_elements($1::jsonb)
on conflict (id) do update set
  phase = excluded.phase,
  taken_back = coalesce(excluded.taken_back, old.taken_back),
  refused_at = coalesce(excluded.refused_at, old.refused_at),
  began_us = coalesce(excluded.began_us, old.began_us),
  ended_us = coalesce(excluded.ended_us, old.ended_us)
