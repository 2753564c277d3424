-- One row per run x stage x set x policy x verifier x strategy x budget x bin x metric (and what else
-- a figure is about): the figure as it was measured last; stage `search` has those of searches,
-- `evaluation` those of samples. What needs no verifier has none, and is there once however many
-- verifiers were evaluated. Set and time are null in figures of the first schema version.
with newest as (
    select
        * exclude (value, ci_low, ci_high, num_problems, created_at),
        max_by(
            {
                'value': value, 'ci_low': ci_low, 'ci_high': ci_high,
                'num_problems': num_problems, 'created_at': created_at
            },
            {'at': coalesce(created_at, to_timestamp(0)), 'smallest': -value}
        ) as figure
    from metrics
    group by all
)
select * exclude (figure), unnest(figure)
from newest
