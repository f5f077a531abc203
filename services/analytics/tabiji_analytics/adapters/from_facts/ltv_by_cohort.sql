WITH summed AS (
    SELECT *, sum(revenue_minor) OVER (PARTITION BY workspace, zone, currency, cohort ORDER BY month)::bigint AS so_far
    FROM filled
)
SELECT workspace, zone, currency, to_char(cohort, 'YYYY-MM') AS cohort_month, month_index, active_customers, orders,
       revenue_minor, cohort_size, active_customers::float8 / cohort_size AS retention, so_far AS cum_revenue_minor,
       so_far::float8 / cohort_size AS ltv_minor
FROM summed
