WITH firsts AS (
    SELECT DISTINCT ON (workspace, customer) workspace, customer, medium
    FROM order_fact WHERE customer IS NOT NULL AND NOT cancelled AND ($2::text IS NULL OR workspace = $2)
    ORDER BY workspace, customer, occurred_at, order_id
), touches AS (
    SELECT DISTINCT ON (workspace, customer) workspace, customer, medium
    FROM (
        SELECT workspace, customer, occurred_at, 0 AS place, order_id, NULL::bytea AS key, medium
        FROM order_fact WHERE customer IS NOT NULL AND medium IS NOT NULL
        UNION ALL
        SELECT workspace, customer, occurred_at, 1, NULL, key, medium FROM touch_fact
    ) t
    ORDER BY workspace, customer, occurred_at, place, order_id, key
), acquired AS (
    SELECT f.workspace, f.customer, coalesce(f.medium, t.medium, 'unknown') AS medium
    FROM firsts f LEFT JOIN touches t USING (workspace, customer)
), windows (position, ltv_window, age) AS (
    VALUES (1, 'first_order', NULL::interval), (2, '30d', interval '720 hours'), (3, '90d', interval '2160 hours'),
           (4, '180d', interval '4320 hours'), (5, '365d', interval '8760 hours'), (6, 'lifetime', NULL)
), summed AS (
    SELECT workspace, currency, medium, position, ltv_window, count(DISTINCT customer) AS customers,
           coalesce(sum(amount_minor) FILTER (
               WHERE CASE position WHEN 1 THEN n = 1 WHEN 6 THEN true ELSE occurred_at - first_at <= age END
           ), 0)::bigint AS revenue_minor
    FROM entries JOIN acquired USING (workspace, customer), windows
    GROUP BY workspace, currency, medium, position, ltv_window
)
SELECT *, revenue_minor::float8 / customers AS ltv_minor FROM summed
