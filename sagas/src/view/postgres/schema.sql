create table if not exists {palinode_saga} (
  service       text    collate "C" not null,
  definition    text    collate "C" not null,  -- the kind of the instance
  id            text    collate "C" not null,
  version       bigint,           -- of the definition; null: set aside before it began
  status        text    collate "C" not null generated always as (case stuck when 1 then 'stuck' else phase end) stored,
  phase         text    collate "C" not null,  -- none, forward, committing, finishing, undoing; completed, compensated, killed
  stuck         integer not null,  -- 1: nothing can move without a person
  parked        text,              -- why it is set aside
  paused        text,              -- who let it stand still, and why
  killed        text,              -- who killed it, and why
  leaks         text,              -- nodes of which something may stand that nobody takes back, a space between
  node          text,              -- nodes that are open now, by path, a space between
  waiting_for   text,              -- what each of them waits for, in the same order, '; ' between
  waiting_since bigint,            -- since when the oldest of them waits
  waiting_until bigint,            -- when the first of them ends without what it waits for
  since         bigint  not null,  -- last change
  started_at    bigint,
  ended_at      bigint,
  attempts      bigint  not null,  -- asks made, undos among them
  retries       bigint  not null,  -- those that were not the first of their node and direction
  last_error    text,              -- last refusal, failure or unknown outcome
  why           text,              -- why it is taken back, for programs
  why_node      text,              -- the node that turned it back
  exceptions    bigint  not null,  -- nodes closed by a person instead of by an outcome
  shard         bigint  not null,
  pseq          bigint  not null,  -- number of the commit of the last change
  nodes         jsonb   not null,  -- what is known of each node: only for write.sql
  leaked        jsonb   not null,  -- the leaks: only for write.sql
  primary key (service, id, definition)
) with (fillfactor = 70);

create index if not exists {palinode_saga}_status on {palinode_saga} (status, definition, service, id);

create index if not exists {palinode_saga}_parked on {palinode_saga} (definition, service, id) where parked is not null;

create index if not exists {palinode_saga}_paused on {palinode_saga} (definition, service, id) where paused is not null;

create index if not exists {palinode_saga}_leaks on {palinode_saga} (definition, service, id) where leaks is not null;
