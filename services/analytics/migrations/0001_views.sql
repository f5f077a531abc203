-- The public contract of schema analytics: docs/views.md says what every column means.
-- Columns are only ever added.

CREATE FUNCTION month_text(month integer) RETURNS text IMMUTABLE PARALLEL SAFE LANGUAGE sql
RETURN lpad((month / 12)::text, 4, '0') || '-' || lpad((month % 12 + 1)::text, 2, '0');

CREATE VIEW ltv_by_cohort AS
WITH cells AS (
    SELECT workspace, zone, currency, cohort, month,
           sum(active_customers)::bigint AS active_customers, sum(orders)::bigint AS orders,
           sum(revenue_minor)::bigint AS revenue_minor
    FROM cohort_cell GROUP BY workspace, zone, currency, cohort, month HAVING sum(entries) > 0
), horizon AS (
    SELECT workspace, zone, currency, max(month) AS last FROM cells GROUP BY workspace, zone, currency
), grid AS (
    SELECT c.workspace, c.zone, c.currency, c.cohort, c.active_customers AS cohort_size, m.month
    FROM cells c JOIN horizon h USING (workspace, zone, currency), generate_series(c.cohort, h.last) AS m(month)
    WHERE c.month = c.cohort
), filled AS (
    SELECT g.workspace, g.zone, g.currency, g.cohort, g.month, g.cohort_size,
           coalesce(c.active_customers, 0) AS active_customers, coalesce(c.orders, 0) AS orders,
           coalesce(c.revenue_minor, 0) AS revenue_minor,
           sum(coalesce(c.revenue_minor, 0)) OVER (
               PARTITION BY g.workspace, g.zone, g.currency, g.cohort ORDER BY g.month
           )::bigint AS cum_revenue_minor
    FROM grid g LEFT JOIN cells c USING (workspace, zone, currency, cohort, month)
)
SELECT workspace, zone, currency, month_text(cohort) AS cohort_month, month - cohort AS month_index, active_customers,
       orders, revenue_minor, cohort_size, active_customers::float8 / cohort_size AS retention, cum_revenue_minor,
       cum_revenue_minor::float8 / cohort_size AS ltv_minor
FROM filled;

CREATE VIEW retention_monthly AS
SELECT workspace, zone, currency, cohort_month, month_index, cohort_size, active_customers, orders, retention
FROM ltv_by_cohort;

CREATE VIEW new_vs_existing AS
WITH cells AS (
    SELECT workspace, zone, currency, cohort, month,
           sum(active_customers)::bigint AS active_customers, sum(orders)::bigint AS orders,
           sum(revenue_minor)::bigint AS revenue_minor, sum(first_orders)::bigint AS first_orders,
           sum(first_order_minor)::bigint AS first_order_minor
    FROM cohort_cell GROUP BY workspace, zone, currency, cohort, month HAVING sum(entries) > 0
), months AS (
    SELECT workspace, zone, currency, month,
           sum(active_customers)::bigint AS customers,
           coalesce(sum(active_customers) FILTER (WHERE month = cohort), 0)::bigint AS new_customers,
           sum(orders)::bigint AS orders, sum(first_orders)::bigint AS orders_first,
           sum(revenue_minor)::bigint AS sales_minor, sum(first_order_minor)::bigint AS sales_first_order_minor,
           coalesce(sum(revenue_minor) FILTER (WHERE month = cohort), 0)::bigint AS sales_new_customer_month_minor
    FROM cells GROUP BY workspace, zone, currency, month
), span AS (
    SELECT workspace, zone, currency, min(month) AS first, max(month) AS last FROM months GROUP BY 1, 2, 3
), filled AS (
    SELECT s.workspace, s.zone, s.currency, g.month, coalesce(customers, 0) AS customers,
           coalesce(new_customers, 0) AS new_customers, coalesce(orders, 0) AS orders,
           coalesce(orders_first, 0) AS orders_first, coalesce(sales_minor, 0) AS sales_minor,
           coalesce(sales_first_order_minor, 0) AS sales_first_order_minor,
           coalesce(sales_new_customer_month_minor, 0) AS sales_new_customer_month_minor
    FROM span s CROSS JOIN LATERAL generate_series(s.first, s.last) AS g(month)
    LEFT JOIN months m ON (m.workspace, m.zone, m.currency, m.month) = (s.workspace, s.zone, s.currency, g.month)
)
SELECT workspace, zone, currency, month_text(month) AS month, customers, new_customers,
       customers - new_customers AS existing_customers, orders, orders_first, orders - orders_first AS orders_repeat,
       sales_minor, sales_first_order_minor, sales_minor - sales_first_order_minor AS sales_repeat_order_minor,
       sales_new_customer_month_minor, sales_minor - sales_new_customer_month_minor AS sales_existing_customer_month_minor
FROM filled;

CREATE VIEW repeat_purchase AS
WITH frequency AS (
    SELECT workspace, currency, orders, sum(customers)::bigint AS customers
    FROM frequency_cell GROUP BY workspace, currency, orders HAVING sum(customers) > 0
), reached AS (
    SELECT workspace, currency, n, coalesce(sum(customers) FILTER (WHERE orders >= n), 0)::bigint AS customers
    FROM frequency, generate_series(1, 10) AS n GROUP BY workspace, currency, n
), steps AS (
    SELECT workspace, currency, n, customers, lag(customers) OVER by_n AS before, first_value(customers) OVER by_n AS everyone
    FROM reached WINDOW by_n AS (PARTITION BY workspace, currency ORDER BY n)
), firsts AS (
    SELECT workspace, currency, first_at, within_days, sum(customers)::bigint AS customers
    FROM second_order_cell GROUP BY workspace, currency, first_at, within_days HAVING sum(customers) > 0
), horizon AS (
    SELECT workspace, currency, (
        SELECT max(o.occurred_at) FROM order_fact o
        WHERE o.workspace = f.workspace AND o.currency = f.currency AND o.customer IS NOT NULL AND NOT o.cancelled
    ) AS last_at
    FROM (SELECT DISTINCT workspace, currency FROM frequency) f
), seconds AS (
    SELECT f.workspace, f.currency, d.days, sum(f.customers)::bigint AS everyone,
           coalesce(sum(f.customers) FILTER (WHERE within_days BETWEEN 1 AND d.days), 0)::bigint AS soon,
           coalesce(sum(f.customers) FILTER (WHERE first_at <= h.last_at - d.days * interval '24 hours'), 0)::bigint
               AS observed,
           coalesce(sum(f.customers) FILTER (
               WHERE within_days BETWEEN 1 AND d.days AND first_at <= h.last_at - d.days * interval '24 hours'
           ), 0)::bigint AS observed_soon
    FROM firsts f JOIN horizon h USING (workspace, currency), unnest('{7,30,60,90,180,365}'::int[]) AS d(days)
    GROUP BY f.workspace, f.currency, d.days
)
SELECT workspace, currency, 10 AS position, 'customers' AS metric, customers, NULL::float8 AS share
FROM steps WHERE n = 1
UNION ALL
SELECT workspace, currency, n * 10, 'customers_with_at_least_' || n || '_orders', customers, customers::float8 / everyone
FROM steps WHERE n > 1
UNION ALL
SELECT workspace, currency, n * 10 + 1, 'F' || n || '_conversion_from_F' || n - 1, customers,
       customers::float8 / nullif(before, 0)
FROM steps WHERE n > 1
UNION ALL
SELECT workspace, currency, 1000 + days * 10, 'second_order_within_' || days || 'd', soon, soon::float8 / everyone
FROM seconds
UNION ALL
SELECT workspace, currency, 1001 + days * 10, 'second_order_within_' || days || 'd_among_customers_observed_' || days || 'd',
       observed_soon, observed_soon::float8 / nullif(observed, 0)
FROM seconds;

CREATE VIEW ltv_by_medium AS
WITH cells AS (
    SELECT workspace, currency, medium, sum(customers)::bigint AS customers,
           ARRAY[sum(first_order_minor), sum(d30_minor), sum(d90_minor), sum(d180_minor), sum(d365_minor),
                 sum(lifetime_minor)]::bigint[] AS revenue
    FROM medium_cell GROUP BY workspace, currency, medium HAVING sum(customers) > 0
)
SELECT workspace, currency, medium, w.position::int AS position,
       (ARRAY['first_order', '30d', '90d', '180d', '365d', 'lifetime'])[w.position] AS ltv_window,
       customers, revenue[w.position] AS revenue_minor, revenue[w.position]::float8 / customers AS ltv_minor
FROM cells, generate_series(1, 6) AS w(position);

CREATE VIEW journey_funnel AS
WITH cells AS (
    SELECT workspace, journey, version, holdout, arms, step, state, reason,
           sum(transitions)::bigint AS transitions, sum(enrollments)::bigint AS enrollments
    FROM journey_cell GROUP BY workspace, journey, version, holdout, arms, step, state, reason HAVING sum(transitions) > 0
), standing AS (
    SELECT workspace, journey, version, holdout, ''::text AS arms, 'waiting'::text AS step, state, ''::text AS reason,
           sum(CASE step WHEN 'reached' THEN transitions ELSE -transitions END)::bigint AS transitions
    FROM cells WHERE step IN ('reached', 'left') GROUP BY workspace, journey, version, holdout, state
), every AS (
    SELECT * FROM cells
    UNION ALL
    SELECT *, transitions FROM standing WHERE transitions <> 0
), entered AS (
    SELECT workspace, journey, version, holdout, sum(enrollments)::bigint AS everyone
    FROM cells WHERE step = 'entered' GROUP BY workspace, journey, version, holdout
)
SELECT workspace, journey, version, holdout, arms, step, state, reason, enrollments, transitions,
       enrollments::float8 / everyone AS share
FROM every LEFT JOIN entered USING (workspace, journey, version, holdout);

CREATE VIEW message_outcomes AS
SELECT workspace, journey, version, send_state, channel, provider, template, outcome, reason,
       sum(messages)::bigint AS messages, sum(opened)::bigint AS opened, sum(clicked)::bigint AS clicked,
       sum(machine_opened)::bigint AS machine_opened, sum(machine_clicked)::bigint AS machine_clicked,
       sum(bounced)::bigint AS bounced, sum(complained)::bigint AS complained,
       sum(unsubscribed)::bigint AS unsubscribed, sum(sent_after_exit)::bigint AS sent_after_exit
FROM message_cell
GROUP BY workspace, journey, version, send_state, channel, provider, template, outcome, reason
HAVING sum(messages) > 0;
