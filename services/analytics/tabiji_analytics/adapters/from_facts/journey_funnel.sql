WITH steps AS (
    SELECT workspace, enrollment, journey, version, holdout, arms, s.step, s.state, s.reason
    FROM transition_fact, LATERAL (
        SELECT what AS step, coalesce(nullif(to_state, ''), from_state, '') AS state, reason WHERE what <> 'moved'
        UNION ALL
        SELECT 'reached', to_state, '' WHERE what IN ('entered', 'moved') AND to_state <> ''
        UNION ALL
        SELECT 'left', from_state, '' WHERE what IN ('moved', 'finished', 'exited') AND from_state <> ''
    ) s
    WHERE $2::text IS NULL OR workspace = $2
), counted AS (
    SELECT workspace, journey, version, holdout, arms, step, state, reason,
           count(DISTINCT enrollment) AS enrollments, count(*) AS transitions
    FROM steps GROUP BY workspace, journey, version, holdout, arms, step, state, reason
), stays AS (
    SELECT workspace, journey, version, holdout, state,
           count(*) FILTER (WHERE step = 'reached') - count(*) FILTER (WHERE step = 'left') AS here
    FROM steps GROUP BY workspace, journey, version, holdout, state
), entered AS (
    SELECT workspace, journey, version, holdout, arms, enrollments FROM counted WHERE step = 'entered'
)
SELECT a.*, a.enrollments::float8 / (
    SELECT sum(e.enrollments) FROM entered e
    WHERE (e.workspace, e.journey, e.version, e.holdout) = (a.workspace, a.journey, a.version, a.holdout)
)::float8 AS share
FROM (
    SELECT * FROM counted
    UNION ALL
    SELECT workspace, journey, version, holdout, '', 'waiting', state, '', here, here FROM stays WHERE here <> 0
) a
