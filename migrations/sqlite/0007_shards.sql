-- Where the read models that readers see are, shard by shard.
create view palinode_shard as
select c.service, c.shard, c.projection, c.version, c.log_id, c.log_offset, c.term, c.pseq,
  (select max(o.pseq) from palinode_checkpoint as o
    where o.service = c.service and o.shard = c.shard and o.log_id = c.log_id and o.state <> 'removed') - c.pseq
    as behind,         -- commits that another read model of the shard has and this one has not
  c.time_us,           -- of the last commit in it
  (select count(*) from palinode_parked as p
    where p.projection = c.projection and p.version = c.version and p.service = c.service and p.shard = c.shard)
    as parked,         -- keys that are set aside
  c.state, c.runner,
  s.pseq as snapshot   -- the commit that the owner's snapshot stands for
from palinode_active as a
join palinode_checkpoint as c on c.projection = a.projection and c.version = a.version and c.state <> 'removed'
left join palinode_snapshot as s
  on s.service = c.service and s.shard = c.shard and json_extract(s.position, '$.log_id') = c.log_id;

-- For `behind`.
create index palinode_checkpoint_shard on palinode_checkpoint (service, shard);
