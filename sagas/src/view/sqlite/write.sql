-- ?1: a JSON array of changes, one an instance; what a change leaves null stays as it is.
insert or replace into {palinode_saga} (
  service, definition, id, version, phase, stuck, parked, paused, killed, leaks, leaked, since, started_at, ended_at, attempts, retries,
  last_error, why, why_node, exceptions, shard, pseq, nodes, node, waiting_for, waiting_since, waiting_until)
with
row as (
  select c.value ->> 'service' as service, c.value ->> 'definition' as definition, c.value ->> 'id' as id,
    coalesce(c.value ->> 'version', old.version) as version,
    coalesce(c.value ->> 'phase', old.phase, 'none') as phase,
    coalesce(c.value ->> 'stuck', old.stuck, 0) as stuck,
    iif(c.value ->> 'ended_at' is null,
      coalesce(c.value ->> 'parked', iif(c.value ->> 'unparked', null, old.parked)), null) as parked,
    iif(c.value ->> 'ended_at' is null,
      coalesce(c.value ->> 'paused', iif(c.value ->> 'resumed', null, old.paused)), null) as paused,
    coalesce(c.value ->> 'killed', old.killed) as killed,
    json_patch(coalesce(old.leaked, '{}'), c.value -> 'leaked') as leaked,
    c.value ->> 'since' as since,
    coalesce(c.value ->> 'started_at', old.started_at) as started_at,
    coalesce(c.value ->> 'ended_at', old.ended_at) as ended_at,
    coalesce(old.attempts, 0) + (c.value ->> 'attempts') as attempts,
    coalesce(old.retries, 0) + (c.value ->> 'retries') as retries,
    coalesce(c.value ->> 'last_error', old.last_error) as last_error,
    coalesce(c.value ->> 'why', old.why) as why,
    coalesce(c.value ->> 'why_node', old.why_node) as why_node,
    coalesce(old.exceptions, 0) + (c.value ->> 'exceptions') as exceptions,
    c.value ->> 'shard' as shard,
    c.value ->> 'pseq' as pseq,
    iif(c.value ->> 'ended_at' is null, json_patch(coalesce(old.nodes, '{}'), c.value -> 'nodes'), '{}') as nodes
  from json_each(?1) as c
  left join {palinode_saga} as old
    on old.service = c.value ->> 'service' and old.id = c.value ->> 'id' and old.definition = c.value ->> 'definition'
),
open as (
  select row.service, row.id, row.definition, n.key as node, n.value ->> 'open' as open,
    n.value ->> 'signal' as signal,
    coalesce(
      'reply of ' || (n.value ->> 'entity'),
      'activity ' || coalesce(iif(n.value ->> 'open' = 'undo', n.value ->> 'undo', null), n.value ->> 'activity')
        || coalesce(', attempt ' || (n.value ->> 'attempt'), ''))
      || iif(n.value ->> 'round' > 1, ', round ' || (n.value ->> 'round'), '') as asked,
    'activity ' || (n.value ->> 'settler') || coalesce(', attempt ' || (n.value ->> 'attempt'), '')
      || iif(n.value ->> 'round' > 1, ', round ' || (n.value ->> 'round'), '') as settled,
    n.value ->> 'since' as since, n.value ->> 'until' as until
  from row, json_each(row.nodes) as n
  where n.value ->> 'open' is not null
)
select row.service, row.definition, row.id, row.version, row.phase, row.stuck, row.parked, row.paused, row.killed,
  (select group_concat(l.key, ' ' order by l.key) from json_each(row.leaked) as l), row.leaked, row.since, row.started_at,
  row.ended_at, row.attempts, row.retries, row.last_error, row.why, row.why_node, row.exceptions, row.shard, row.pseq,
  row.nodes,
  group_concat(open.node, ' ' order by open.node),
  group_concat(
    case open.open
      when 'ask' then open.asked
      when 'undo' then 'undo: ' || coalesce(open.asked, 'its participant') -- after the end of the saga
      when 'probe' then 'probe: ' || open.settled
      when 'void' then 'void: ' || open.settled
      when 'last_word' then 'last word of ' || open.asked
      when 'next_ask' then 'timer: next attempt'
      when 'next_undo' then 'timer: next attempt of the undo'
      when 'wait' then coalesce('signal ' || open.signal, 'timer')
      when 'person' then 'a person'
    end, '; ' order by open.node),
  min(open.since),
  min(open.until)
from row
left join open on open.service = row.service and open.id = row.id and open.definition = row.definition
group by row.service, row.id, row.definition
