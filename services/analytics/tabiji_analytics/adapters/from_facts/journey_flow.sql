SELECT workspace, journey, version, holdout, from_state, to_state,
       sum(enrollments)::bigint AS enrollments, sum(transitions)::bigint AS transitions
FROM (
    SELECT workspace, journey, version, holdout, arms, from_state, to_state,
           count(DISTINCT enrollment) AS enrollments, count(*) AS transitions
    FROM transition_fact
    WHERE what IN ('moved', 'finished') AND from_state <> '' AND to_state <> ''
      AND ($2::text IS NULL OR workspace = $2)
    GROUP BY workspace, journey, version, holdout, arms, from_state, to_state
) a
GROUP BY workspace, journey, version, holdout, from_state, to_state
