-- The log: every topic of every service of the folder. A lane is one partition of one topic; its records are in a table
-- of its own (`record.sql`).
create table palinode_lane (
  lane      integer primary key,
  topic     text    not null,
  partition integer not null,
  unique (topic, partition)
) strict;
