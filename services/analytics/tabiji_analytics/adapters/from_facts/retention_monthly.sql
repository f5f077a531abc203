SELECT workspace, zone, currency, to_char(cohort, 'YYYY-MM') AS cohort_month, month_index, cohort_size, active_customers,
       orders, active_customers::float8 / cohort_size AS retention
FROM filled
