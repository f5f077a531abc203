-- Who went from which state to which other. The ways are cells of their own step, which the funnel leaves out.

CREATE OR REPLACE VIEW journey_funnel AS
WITH cells AS (
    SELECT workspace, journey, version, holdout, arms, step, state, reason,
           sum(transitions)::bigint AS transitions, sum(enrollments)::bigint AS enrollments
    FROM journey_cell WHERE step <> 'way'
    GROUP BY workspace, journey, version, holdout, arms, step, state, reason HAVING sum(transitions) > 0
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

CREATE VIEW journey_flow AS
SELECT workspace, journey, version, holdout, reason AS from_state, state AS to_state,
       sum(enrollments)::bigint AS enrollments, sum(transitions)::bigint AS transitions
FROM journey_cell WHERE step = 'way'
GROUP BY workspace, journey, version, holdout, reason, state
HAVING sum(transitions) > 0;

INSERT INTO journey_cell (workspace, p, journey, version, holdout, arms, step, state, reason, transitions, enrollments)
SELECT workspace, -1, journey, version, holdout, arms, 'way', to_state, from_state, count(*), count(DISTINCT enrollment)
FROM transition_fact
WHERE what IN ('moved', 'finished') AND from_state <> '' AND to_state <> ''
GROUP BY workspace, journey, version, holdout, arms, to_state, from_state;
