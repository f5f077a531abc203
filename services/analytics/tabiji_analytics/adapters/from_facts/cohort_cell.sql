-- p is 0, as good as any: cells of all p are added up.
SELECT workspace, 0, zone, currency, extract(year FROM cohort)::int * 12 + extract(month FROM cohort)::int - 1,
       extract(year FROM month)::int * 12 + extract(month FROM month)::int - 1,
       count(DISTINCT customer) FILTER (WHERE is_order), count(*) FILTER (WHERE is_order), sum(amount_minor), count(*),
       count(*) FILTER (WHERE is_order AND n = 1), coalesce(sum(amount_minor) FILTER (WHERE n = 1), 0)
FROM dated GROUP BY workspace, zone, currency, cohort, month
