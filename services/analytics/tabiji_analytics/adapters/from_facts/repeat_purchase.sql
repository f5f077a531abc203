WITH people AS (
    SELECT workspace, currency, customer, count(*) AS orders, min(occurred_at) AS first_at,
           min(occurred_at) FILTER (WHERE n = 2) AS second_at,
           max(max(occurred_at)) OVER (PARTITION BY workspace, currency) AS last_at
    FROM standing GROUP BY workspace, currency, customer
), reached AS (
    SELECT workspace, currency, n, count(*) AS everyone, count(*) FILTER (WHERE orders >= n) AS customers,
           count(*) FILTER (WHERE orders >= n - 1) AS one_less
    FROM people, generate_series(2, 10) AS n GROUP BY workspace, currency, n
), soon AS (
    SELECT workspace, currency, d, count(*) AS everyone,
           count(*) FILTER (WHERE second_at - first_at <= d * interval '24 hours') AS customers,
           count(*) FILTER (WHERE last_at - first_at >= d * interval '24 hours') AS observed,
           count(*) FILTER (
               WHERE last_at - first_at >= d * interval '24 hours' AND second_at - first_at <= d * interval '24 hours'
           ) AS observed_customers
    FROM people, unnest(ARRAY[7, 30, 60, 90, 180, 365]) AS d GROUP BY workspace, currency, d
)
SELECT workspace, currency, 10 AS position, 'customers' AS metric, count(*) AS customers, NULL::float8 AS share
FROM people GROUP BY workspace, currency
UNION ALL
SELECT workspace, currency, n * 10, format('customers_with_at_least_%s_orders', n), customers,
       customers::float8 / everyone
FROM reached
UNION ALL
SELECT workspace, currency, n * 10 + 1, format('F%s_conversion_from_F%s', n, n - 1), customers,
       CASE WHEN one_less > 0 THEN customers::float8 / one_less END
FROM reached
UNION ALL
SELECT workspace, currency, 1000 + d * 10, format('second_order_within_%sd', d), customers, customers::float8 / everyone
FROM soon
UNION ALL
SELECT workspace, currency, 1001 + d * 10, format('second_order_within_%sd_among_customers_observed_%sd', d, d),
       observed_customers, CASE WHEN observed > 0 THEN observed_customers::float8 / observed END
FROM soon
