-- The records of one lane, {lane} being its number. A table a lane, so that every append goes to the last page of a
-- B-tree: fewer pages are written than with one tree for all, and full ones.
create table palinode_record_{lane} (
  id      integer primary key,  -- lane * 2^40 + offset: a row cannot pass for one of another lane
  mark    integer not null,     -- the format number; every row of this table is ours
  crc     integer not null,     -- CRC-32C of the value
  sum     integer not null,     -- CRC-32C of id, mark, crc and time_us (8 bytes each, little end first), then key
  time_us integer not null,     -- wall time of the append
  key     text    not null,
  headers text,                 -- JSON object of the headers that cannot be derived from the value
  value   blob    not null
) strict;
