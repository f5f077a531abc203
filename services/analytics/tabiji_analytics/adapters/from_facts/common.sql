-- Orders that count, numbered per customer and currency: n = 1 is the first.
standing AS (
    SELECT key, workspace, customer, currency, occurred_at, amount_minor, order_id,
           row_number() OVER per_customer AS n, first_value(occurred_at) OVER per_customer AS first_at
    FROM order_fact
    WHERE customer IS NOT NULL AND NOT cancelled AND ($2::text IS NULL OR workspace = $2)
    WINDOW per_customer AS (PARTITION BY workspace, customer, currency ORDER BY occurred_at, order_id)
),
-- The first refund without an amount takes what earlier ones left.
refunds AS (
    SELECT s.key AS order_key, r.occurred_at, r.amount_minor AS given, s.amount_minor AS paid,
           count(*) FILTER (WHERE r.amount_minor IS NULL) OVER so_far AS rests,
           coalesce(sum(r.amount_minor) OVER so_far, 0) AS given_so_far
    FROM refund_fact r JOIN standing s ON s.key = r.order_key
    WHERE r.currency IS NULL OR r.currency = s.currency
    WINDOW so_far AS (PARTITION BY r.order_key ORDER BY r.occurred_at, r.key)
),
-- Orders, and refunds as negative amounts on their own dates.
entries AS (
    SELECT workspace, customer, currency, first_at, n, occurred_at, amount_minor, true AS is_order FROM standing
    UNION ALL
    SELECT s.workspace, s.customer, s.currency, s.first_at, s.n, greatest(r.occurred_at, s.occurred_at),
           -coalesce(r.given, CASE WHEN r.rests = 1 THEN greatest(0, r.paid - r.given_so_far) ELSE 0 END), false
    FROM refunds r JOIN standing s ON s.key = r.order_key
),
dated AS (
    SELECT workspace, zone, currency, customer, n, amount_minor, is_order,
           date_trunc('month', first_at AT TIME ZONE zone) AS cohort,
           date_trunc('month', occurred_at AT TIME ZONE zone) AS month
    FROM entries, unnest($1::text[]) AS zone
),
horizon AS (
    SELECT workspace, zone, currency, min(month) AS first, max(month) AS last
    FROM dated GROUP BY workspace, zone, currency
),
sizes AS (
    SELECT workspace, zone, currency, cohort, count(DISTINCT customer) AS cohort_size
    FROM dated GROUP BY workspace, zone, currency, cohort
),
cells AS (
    SELECT workspace, zone, currency, cohort, month, count(DISTINCT customer) FILTER (WHERE is_order) AS active_customers,
           count(*) FILTER (WHERE is_order) AS orders, sum(amount_minor)::bigint AS revenue_minor
    FROM dated GROUP BY workspace, zone, currency, cohort, month
),
filled AS (
    SELECT s.workspace, s.zone, s.currency, s.cohort, m.month, s.cohort_size,
           (extract(year FROM age(m.month, s.cohort)) * 12 + extract(month FROM age(m.month, s.cohort)))::int AS month_index,
           coalesce(c.active_customers, 0) AS active_customers, coalesce(c.orders, 0) AS orders,
           coalesce(c.revenue_minor, 0) AS revenue_minor
    FROM sizes s JOIN horizon h USING (workspace, zone, currency)
    CROSS JOIN LATERAL generate_series(s.cohort, h.last, interval '1 month') AS m(month)
    LEFT JOIN cells c ON (c.workspace, c.zone, c.currency, c.cohort, c.month)
        = (s.workspace, s.zone, s.currency, s.cohort, m.month)
)
