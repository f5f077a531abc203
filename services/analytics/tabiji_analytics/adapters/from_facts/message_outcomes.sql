WITH truths AS (
    SELECT DISTINCT ON (workspace, customer, message_key) *
    FROM outcome_fact WHERE $2::text IS NULL OR workspace = $2
    ORDER BY workspace, customer, message_key, (state = 'delivered') DESC, token DESC,
             array_position(ARRAY['unknown', 'failed', 'suppressed', 'sent', 'delivered'], state) DESC,
             occurred_at DESC, key DESC
), reactions AS (
    SELECT t.key,
           bool_or(e.action = 'email_opened' AND NOT machine) AS opened, bool_or(e.action = 'email_clicked' AND NOT machine) AS clicked,
           bool_or(e.action = 'email_opened' AND machine) AS machine_opened,
           bool_or(e.action = 'email_clicked' AND machine) AS machine_clicked, bool_or(e.action = 'email_bounced') AS bounced,
           bool_or(e.action = 'email_complained') AS complained, bool_or(e.action = 'unsubscribed') AS unsubscribed
    FROM truths t JOIN engagement_fact e USING (workspace, customer, message_key) GROUP BY t.key
), late AS (
    SELECT workspace, customer, message_key, bool_or(sent_after_exit) AS sent_after_exit
    FROM outcome_fact GROUP BY workspace, customer, message_key
)
SELECT workspace, journey, version, send_state, channel, provider, template, state AS outcome, reason, count(*) AS messages,
       count(*) FILTER (WHERE opened) AS opened, count(*) FILTER (WHERE clicked) AS clicked,
       count(*) FILTER (WHERE machine_opened) AS machine_opened, count(*) FILTER (WHERE machine_clicked) AS machine_clicked,
       count(*) FILTER (WHERE bounced) AS bounced, count(*) FILTER (WHERE complained) AS complained,
       count(*) FILTER (WHERE unsubscribed) AS unsubscribed, count(*) FILTER (WHERE l.sent_after_exit) AS sent_after_exit
FROM truths t LEFT JOIN reactions USING (key) JOIN late l USING (workspace, customer, message_key)
GROUP BY workspace, journey, version, send_state, channel, provider, template, state, reason
