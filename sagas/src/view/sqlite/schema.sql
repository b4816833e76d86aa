create table if not exists {palinode_saga} (
  service       text not null,
  definition    text not null,     -- the kind of the instance
  id            text not null,
  version       integer,           -- of the definition; null: set aside before it began
  status        text not null generated always as (iif(stuck, 'stuck', phase)) virtual,
  phase         text not null,     -- none, forward, committing, finishing, undoing; completed, compensated, killed
  stuck         integer not null,  -- 1: nothing can move without a person
  parked        text,              -- why it is set aside
  paused        text,              -- who let it stand still, and why
  killed        text,              -- who killed it, and why
  leaks         text,              -- nodes of which something may stand that nobody takes back, a space between
  node          text,              -- nodes that are open now, by path, a space between
  waiting_for   text,              -- what each of them waits for, in the same order, '; ' between
  waiting_since integer,           -- since when the oldest of them waits
  waiting_until integer,           -- when the first of them ends without what it waits for
  since         integer not null,  -- last change
  started_at    integer,
  ended_at      integer,
  attempts      integer not null,  -- asks made, undos among them
  retries       integer not null,  -- those that were not the first of their node and direction
  last_error    text,              -- last refusal, failure or unknown outcome
  why           text,              -- why it is taken back, for programs
  why_node      text,              -- the node that turned it back
  exceptions    integer not null,  -- nodes closed by a person instead of by an outcome
  shard         integer not null,
  pseq          integer not null,  -- number of the commit of the last change
  nodes         text not null,     -- what is known of each node: only for write.sql
  leaked        text not null,     -- the leaks, as JSON: only for write.sql
  primary key (service, id, definition)
) strict, without rowid;

create index if not exists {palinode_saga}_status on {palinode_saga} (status, definition, service, id);

create index if not exists {palinode_saga}_parked on {palinode_saga} (definition, service, id) where parked is not null;

create index if not exists {palinode_saga}_paused on {palinode_saga} (definition, service, id) where paused is not null;

create index if not exists {palinode_saga}_leaks on {palinode_saga} (definition, service, id) where leaks is not null;
