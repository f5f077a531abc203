WITH months AS (
    SELECT workspace, zone, currency, month,
           count(DISTINCT customer) FILTER (WHERE is_order) AS customers,
           count(DISTINCT customer) FILTER (WHERE is_order AND month = cohort) AS new_customers,
           count(DISTINCT customer) FILTER (WHERE is_order AND month > cohort) AS existing_customers,
           count(*) FILTER (WHERE is_order) AS orders, count(*) FILTER (WHERE is_order AND n = 1) AS orders_first,
           count(*) FILTER (WHERE is_order AND n > 1) AS orders_repeat,
           coalesce(sum(amount_minor), 0)::bigint AS sales_minor,
           coalesce(sum(amount_minor) FILTER (WHERE n = 1), 0)::bigint AS sales_first_order_minor,
           coalesce(sum(amount_minor) FILTER (WHERE n > 1), 0)::bigint AS sales_repeat_order_minor,
           coalesce(sum(amount_minor) FILTER (WHERE month = cohort), 0)::bigint AS sales_new_customer_month_minor,
           coalesce(sum(amount_minor) FILTER (WHERE month > cohort), 0)::bigint AS sales_existing_customer_month_minor
    FROM dated GROUP BY workspace, zone, currency, month
)
SELECT h.workspace, h.zone, h.currency, to_char(g.month, 'YYYY-MM') AS month,
       coalesce(customers, 0) AS customers, coalesce(new_customers, 0) AS new_customers,
       coalesce(existing_customers, 0) AS existing_customers, coalesce(orders, 0) AS orders,
       coalesce(orders_first, 0) AS orders_first, coalesce(orders_repeat, 0) AS orders_repeat,
       coalesce(sales_minor, 0) AS sales_minor, coalesce(sales_first_order_minor, 0) AS sales_first_order_minor,
       coalesce(sales_repeat_order_minor, 0) AS sales_repeat_order_minor,
       coalesce(sales_new_customer_month_minor, 0) AS sales_new_customer_month_minor,
       coalesce(sales_existing_customer_month_minor, 0) AS sales_existing_customer_month_minor
FROM horizon h CROSS JOIN LATERAL generate_series(h.first, h.last, interval '1 month') AS g(month)
LEFT JOIN months m ON (m.workspace, m.zone, m.currency, m.month) = (h.workspace, h.zone, h.currency, g.month)
