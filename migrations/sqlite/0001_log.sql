-- The log: every topic of every service of the folder. A lane is one partition of one topic. The key of a record
-- is lane * 2^40 + offset: one integer, so that a lane is a range of one B-tree and an append is one insert.
create table palinode_lane (
  lane      integer primary key,
  topic     text    not null,
  partition integer not null,
  unique (topic, partition)
) strict;

create table palinode_record (
  id      integer primary key,
  mark    integer not null,  -- the format number; every row of this table is ours
  crc     integer not null,  -- CRC-32C of the value
  sum     integer not null,  -- CRC-32C of id, mark, crc and time_us (8 bytes each, little end first), then key
  time_us integer not null,  -- wall time of the append
  key     text    not null,
  headers text,              -- JSON object of the headers that cannot be derived from the value
  value   blob    not null
) strict;
