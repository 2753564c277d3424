-- One row per strategy by which both of two runs have solutions of their own, the most frequent first.
select strategy
from outcomes
where run_id in ($first, $second)
group by strategy
having count(distinct run_id) = 2
order by count(*) desc, strategy
