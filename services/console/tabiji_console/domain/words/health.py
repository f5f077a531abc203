"""Words of the page of health."""

from __future__ import annotations

WORDS = {
    "health.title": ("稼働状況", "Health"),
    "health.lead": (
        "各サービスの遅れ・担当・時計と、処理が止まっているお客様",
        "How far each service is, what it owns, its clock, and customers who stand still",
    ),
    "health.good": ("正常", "Fine"),
    "health.warn": ("遅れています", "Behind"),
    "health.bad": ("停止中", "Stopped"),
    "health.away": ("応答なし", "No answer"),
    "health.lag": ("未処理のレコード", "Lag, in records"),
    "health.owned": ("担当パーティション", "Partitions owned"),
    "health.due": ("発火待ちのタイマー", "Timers due"),
    "health.next": ("次のタイマー", "Next timer"),
    "health.rejected": ("デッドレター（起動後）", "Dead letters since its start"),
    "health.retries": ("再試行（起動後）", "Retries since its start"),
    "health.unpublished": ("Kafka への書き出し待ち", "Outbox not published"),
    "health.durability": ("耐久性", "Durability"),
    "health.durability.single-broker": ("ブローカー 1 台", "Single broker"),
    "health.accepted": ("受け付けたイベント（起動後）", "Events accepted since its start"),
    "health.version": ("バージョン", "Version"),
    "health.started": ("起動", "Started"),
    "health.clock": ("時計", "Clock"),
    "health.stopped.restore": (
        "データベースが復元または複製されたため、タイマーを止めています（{why}）。",
        "Timers stand still: the database was restored or cloned ({why}).",
    ),
    "health.stopped.clock": (
        "時計が飛んだため、タイマーを止めています。",
        "Timers stand still: the clock has leapt.",
    ),
    "health.stopped.sends": (
        "データベースが復元または複製されたため、すべての送信を止めています（{why}）。",
        "Every send is held: the database was restored or cloned ({why}).",
    ),
    "health.release": ("このまま再開…", "Go on…"),
    "health.standing": ("処理が止まっているお客様", "Who stands still"),
    "health.stuck": ("予定のない待機", "Stuck without a timer"),
    "health.overdue": ("予定より遅れ", "Overdue"),
    "health.paused": ("一時停止中", "Paused"),
    "health.parked.count": ("処理停止", "Parked"),
    "health.parked": ("処理停止中のお客様", "Parked customers"),
    "health.parked.lead": (
        "処理のたびにエラーになるため、そのお客様の処理だけを止め、記録は順番どおりに残しています。原因を直したあとに再開してください。",
        "Their records failed again and again, so they alone stand still. Let them go on once the cause is mended.",
    ),
    "health.parked.none": ("処理停止中のお客様はいません", "Nobody is parked"),
    "health.parked.none.lead": (
        "エラーの続くお客様がいると、ここにエラーとともに並びます。",
        "A customer whose records keep failing is listed here with the error.",
    ),
    "health.unheard": ("{services} が応答していません", "No answer from {services}"),
    "health.customer": ("お客様", "Customer"),
    "health.service": ("サービス", "Service"),
    "health.error": ("エラー", "Error"),
    "health.records": ("件数", "Records"),
    "health.since": ("いつから", "Since"),
    "health.unpark": ("再開", "Go on"),
    "health.done.asked": ("再開を依頼しました。まもなく反映されます。", "Asked for: it shows in a moment."),
    "health.done.released": ("再開しました。", "It goes on."),
    "health.done.accepted": ("受け入れました。", "Accepted."),
    "sure.restore": (
        "いまの状態を正しいものとして再開します。止めていたタイマーや送信が動き出します。操作は記録されます。",
        (
            "What is there now is taken as right: timers and sends that were held go on."
            " This is written down under your name."
        ),
    ),
    "sure.go.restore": ("再開する", "Go on"),
}
