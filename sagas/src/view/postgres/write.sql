-- $1: a JSON array of changes, one an instance; what a change leaves null stays as it is. Patches are flat (RFC 7396): a
-- key that is null goes, every other one is set.
with
changed as (
  select c.service, c.definition, c.id, c.since, c.shard, c.pseq,
    coalesce(c.version, old.version) as version,
    coalesce(c.phase, old.phase, 'none') as phase,
    coalesce(c.stuck, old.stuck, 0) as stuck,
    case when c.ended_at is null
      then coalesce(c.parked, case c.unparked when 0 then old.parked end) end as parked,
    case when c.ended_at is null
      then coalesce(c.paused, case c.resumed when 0 then old.paused end) end as paused,
    coalesce(c.killed, old.killed) as killed,
    jsonb_strip_nulls(coalesce(old.leaked, '{}') || c.leaked) as leaked,
    coalesce(c.started_at, old.started_at) as started_at,
    coalesce(c.ended_at, old.ended_at) as ended_at,
    coalesce(old.attempts, 0) + c.attempts as attempts,
    coalesce(old.retries, 0) + c.retries as retries,
    coalesce(c.last_error, old.last_error) as last_error,
    coalesce(c.why, old.why) as why,
    coalesce(c.why_node, old.why_node) as why_node,
    coalesce(old.exceptions, 0) + c.exceptions as exceptions,
    case when c.ended_at is null
      then jsonb_strip_nulls(coalesce(old.nodes, '{}') || coalesce(
        (select jsonb_object_agg(n.key, coalesce(old.nodes -> n.key, '{}') || n.value) from jsonb_each(c.nodes) as n), '{}'))
      else '{}' end as nodes
  from jsonb_to_recordset($1::text::jsonb) as c (
    service text, definition text, id text, shard bigint, pseq bigint, since bigint, version bigint, phase text,
    stuck integer, parked text, unparked integer, paused text, resumed integer, killed text, leaked jsonb,
    started_at bigint, ended_at bigint, attempts bigint, retries bigint, last_error text, why text, why_node text,
    exceptions bigint, nodes jsonb)
  left join {palinode_saga} as old on old.service = c.service and old.id = c.id and old.definition = c.definition
)
insert into {palinode_saga} (
  service, definition, id, version, phase, stuck, parked, paused, killed, leaks, leaked, since, started_at, ended_at,
  attempts, retries, last_error, why, why_node, exceptions, shard, pseq, nodes, node, waiting_for, waiting_since,
  waiting_until)
select changed.service, changed.definition, changed.id, changed.version, changed.phase, changed.stuck, changed.parked,
  changed.paused, changed.killed,
  (select string_agg(l.key, ' ' order by l.key collate "C") from jsonb_each(changed.leaked) as l),
  changed.leaked, changed.since, changed.started_at, changed.ended_at, changed.attempts, changed.retries,
  changed.last_error, changed.why, changed.why_node, changed.exceptions, changed.shard, changed.pseq, changed.nodes,
  waits.node, waits.what, waits.since, waits.until
from changed
left join lateral (
  select
    string_agg(o.node, ' ' order by o.node collate "C") as node,
    string_agg(
      case o.open
        when 'ask' then o.asked
        when 'undo' then 'undo: ' || coalesce(o.asked, 'its participant') -- after the end of the saga
        when 'probe' then 'probe: ' || o.settled
        when 'void' then 'void: ' || o.settled
        when 'last_word' then 'last word of ' || o.asked
        when 'next_ask' then 'timer: next attempt'
        when 'next_undo' then 'timer: next attempt of the undo'
        when 'wait' then coalesce('signal ' || o.signal, 'timer')
        when 'person' then 'a person'
      end, '; ' order by o.node collate "C") as what,
    min(o.since) as since,
    min(o.until) as until
  from (
    select n.key as node, n.value ->> 'open' as open, n.value ->> 'signal' as signal,
      coalesce(
        'reply of ' || (n.value ->> 'entity'),
        'activity '
          || coalesce(case n.value ->> 'open' when 'undo' then n.value ->> 'undo' end, n.value ->> 'activity')
          || coalesce(', attempt ' || (n.value ->> 'attempt'), '')) || later.round as asked,
      'activity ' || (n.value ->> 'settler') || coalesce(', attempt ' || (n.value ->> 'attempt'), '') || later.round
        as settled,
      (n.value ->> 'since')::bigint as since, (n.value ->> 'until')::bigint as until
    from jsonb_each(changed.nodes) as n,
      lateral (select case when (n.value ->> 'round')::bigint > 1 then ', round ' || (n.value ->> 'round') else '' end as round)
        as later
    where (n.value ->> 'open') is not null
  ) as o
) as waits on true
on conflict (service, id, definition) do update set
  version = excluded.version, phase = excluded.phase, stuck = excluded.stuck, parked = excluded.parked,
  paused = excluded.paused, killed = excluded.killed, leaks = excluded.leaks, leaked = excluded.leaked,
  since = excluded.since, started_at = excluded.started_at, ended_at = excluded.ended_at, attempts = excluded.attempts,
  retries = excluded.retries, last_error = excluded.last_error, why = excluded.why, why_node = excluded.why_node,
  exceptions = excluded.exceptions, shard = excluded.shard, pseq = excluded.pseq, nodes = excluded.nodes,
  node = excluded.node, waiting_for = excluded.waiting_for, waiting_since = excluded.waiting_since,
  waiting_until = excluded.waiting_until
