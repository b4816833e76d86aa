-- Which tables every version of a projection keeps: taken_v2 is version 2 of taken.
create table palinode_version (
  projection text    collate "C" not null,
  version    integer not null,
  tables     text[]  not null,  -- the names that readers use
  primary key (projection, version)
);

-- Which version readers see: the views of the stable names select from its tables. Moved by compare-and-set only.
create table palinode_active (
  projection text    collate "C" not null primary key,
  version    integer not null
);
