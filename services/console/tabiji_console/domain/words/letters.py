"""Words of the pages of dead letters."""

from __future__ import annotations

WORDS = {
    "letters.title": ("デッドレター", "Dead letters"),
    "letters.lead": (
        "適用できなかったレコードです。お客様は先へ進んでいます。原因を直したあとに再投入してください。",
        "Records that could not apply; their customers went on. Replay them once the cause is mended.",
    ),
    "letters.none": ("デッドレターはありません", "No dead letters"),
    "letters.none.lead": (
        "適用できないレコードがあると、ここに理由とともに並びます。",
        "A record that cannot apply is listed here with the reason.",
    ),
    "letters.service": ("サービス", "Service"),
    "letters.topic": ("トピック", "Topic"),
    "letters.reason": ("理由", "Reason"),
    "letters.records": ("件数", "Records"),
    "letters.first": ("最初", "First"),
    "letters.last": ("最後", "Last"),
    "letters.look": ("見る", "Look"),
    "letters.look.at": ("{service} の「{reason}」を見る", "Look at “{reason}” of {service}"),
    "letters.count": ("全 {n} 件", "{n} in all"),
    "letters.record": ("レコード", "Record"),
    "letters.type": ("種類", "Type"),
    "letters.customer": ("お客様", "Customer"),
    "letters.at": ("退避", "Put aside"),
    "letters.state": ("状態", "State"),
    "letters.state.dead": ("未適用", "Not applied"),
    "letters.state.replayed": ("再投入済み", "Replayed"),
    "letters.state.repeat": ("適用済みでした", "Had been applied"),
    "letters.attempts": ("再投入の回数", "Times replayed"),
    "letters.refused": ("再投入できません", "Cannot be replayed"),
    "letters.headers": ("ヘッダー", "Headers"),
    "letters.body": ("本文", "Body"),
    "letters.body.note": (
        "受け取ったままの内容です。個人に関する項目を含むことがあります。",
        "As it was received. It may hold personal fields.",
    ),
    "letters.stood": ("位置", "Stood at"),
    "letters.stood.at": ("パーティション {partition}・オフセット {offset}", "partition {partition}, offset {offset}"),
    "letters.more": ("さらに古いもの", "Older ones"),
    "letters.replay": ("再投入…", "Replay…"),
    "letters.replay.all": ("{n} 件を再投入…", "Replay {n}…"),
    "letters.done": (
        "{asked} 件の再投入を依頼しました。まもなく反映されます。まだ適用できないものは、理由とともにここに残ります。",
        "Asked for {asked}: it shows in a moment. What can still not apply stays here with its reason.",
    ),
    "letters.done.before": ("{n} 件は以前に再投入済みです。", "{n} had been replayed before."),
    "letters.done.refused": ("{n} 件は再投入できません。", "{n} cannot be replayed."),
    "letters.done.left": ("残り {n} 件は、もう一度押してください。", "{n} are left: press once more."),
    "sure.replay": (
        (
            "受け取ったままのレコードを、そのお客様の順番の中でもう一度適用します。すでに適用されたものや送信したメッセージは、"
            "繰り返しません。操作は記録されます。"
        ),
        (
            "These records are applied once more as they were received, in their customers' order. What was applied"
            " or sent already is not done again. This is written down under your name."
        ),
    ),
    "sure.go.replay": ("再投入する", "Replay"),
}
