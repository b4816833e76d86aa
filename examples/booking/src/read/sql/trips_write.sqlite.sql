insert into {trip} (id, phase, taken_back, refused_at, began_us, ended_us)
select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 from json_each($1) where true
on conflict do update set
  phase = excluded.phase,
  taken_back = coalesce(excluded.taken_back, taken_back),
  refused_at = coalesce(excluded.refused_at, refused_at),
  began_us = coalesce(excluded.began_us, began_us),
  ended_us = coalesce(excluded.ended_us, ended_us)
