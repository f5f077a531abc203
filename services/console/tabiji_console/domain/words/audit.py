"""Words of the page of the audit."""

from __future__ import annotations

WORDS = {
    "audit.title": ("操作記録", "Audit"),
    "audit.lead": (
        "誰が・いつ・どのサービスで何を変更したか。新しい順です。",
        "Who changed what, when and in which service: the newest first.",
    ),
    "audit.link": ("操作記録を見る", "See the audit"),
    "audit.none": ("操作の記録はまだありません", "Nothing has been changed yet"),
    "audit.none.lead": (
        "緊急停止や再投入などの操作が、オペレーターキーの名前とともにここに並びます。",
        "Kill switches, replays and the like are listed here under the name of the operator key.",
    ),
    "audit.act": ("操作", "Act"),
    "audit.who": ("オペレーター", "Operator"),
    "audit.service": ("サービス", "Service"),
    "audit.detail": ("内容", "Detail"),
    "audit.ended": ("結果", "Result"),
    "audit.at": ("日時", "When"),
    "audit.done": ("完了", "Done"),
    "audit.refused": ("拒否（{status}）", "Refused ({status})"),
    "audit.open": ("結果の記録なし", "No end on record"),
    "audit.older": ("さらに古いもの", "Older ones"),
    "act.switch": ("緊急停止の変更", "Kill switch"),
    "act.brake": ("ブレーキの解除", "Brake released"),
    "act.settle": ("結果不明の判断", "Unknown message settled"),
    "act.suppress": ("配信停止リストへの登録", "Put on the suppression list"),
    "act.unsuppress": ("配信停止リストから削除", "Taken off the suppression list"),
    "act.replay": ("デッドレターの再投入", "Dead letters replayed"),
    "act.unpark": ("お客様の処理の再開", "Parked customer let go on"),
    "act.restore": ("停止後の再開", "Went on after a stop"),
    "act.pause": ("ジャーニーの一時停止・再開", "Journey paused or resumed"),
    "act.publish": ("ジャーニーの公開", "Journey published"),
    "act.recompute": ("集計の照合", "Views recomputed"),
    "act.command": ("お客様への操作", "Command to a customer"),
    "act.cluster": ("別クラスターからの送信の許可", "Sends of another cluster let go"),
    "act.keys": ("キーの変更", "Key changed"),
}
