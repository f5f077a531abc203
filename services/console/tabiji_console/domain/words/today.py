"""Words of the page of today, and of the page that proves the promises."""

from __future__ import annotations

WORDS = {
    "today.title": ("今日", "Today"),
    "today.lead": ("{day} 0:00 から · {zone}", "{day} since midnight · {zone}"),
    "today.lead.past": ("この日の 0:00 から 24:00 まで · {zone}", "From midnight to midnight · {zone}"),
    "today.quiet": (
        "今日はまだ何も起きていません。最後に動きがあったのは {day} です。",
        "Nothing has happened yet today. The last day with something was {day}.",
    ),
    "today.quiet.go": ("その日を見る", "See that day"),
    "today.sales": ("売上", "Sales"),
    "today.sales.note": ("返金前", "before refunds"),
    "today.orders": ("注文", "Orders"),
    "today.amount": ("売上", "Sales"),
    "today.new": ("新規のお客様", "New customers"),
    "today.existing": ("既存のお客様", "Existing customers"),
    "today.people": ("{n}人", "{n} people"),
    "today.orders.none": ("今日の注文はまだありません", "No orders yet today"),
    "today.orders.none.past": ("この日の注文はありません", "No orders on that day"),
    "today.orders.none.lead": (
        "注文が届くと、ここに表示されます。",
        "They are shown here as soon as one comes in.",
    ),
    "today.email_opened": ("メールの開封", "Mails opened"),
    "today.email_clicked": ("リンクのクリック", "Links clicked"),
    "today.unsubscribed": ("配信停止", "Unsubscribed"),
    "today.entered": ("ジャーニーへのエントリー", "Journey entries"),
    "today.promises": ("約束", "Promises"),
    "today.promises.all": ("すべて守られています", "All kept"),
    "today.promises.part": ("未確認のものがあります", "Not all known"),
    "today.promises.not": ("確認が必要です", "Needs a look"),
    "today.promises.proof": ("証拠を見る", "See the proof"),
    "today.lost": ("行方不明のエントリー", "Entries lost"),
    "today.lost.lead": ("エントリー＝待機中＋完了＋離脱", "entries = waiting + finished + exited"),
    "today.drift": ("集計のずれ", "Drift"),
    "today.drift.lead": ("{n} 個のセルを元データと照合", "{n} cells compared with the facts"),
    "today.drift.never": ("まだ照合していません", "not compared yet"),
    "today.doubled": ("二重送信", "Doubled"),
    "today.doubled.lead": ("今日送った {n} 通のうち", "of {n} sent today"),
    "today.doubled.lead.past": ("この日に送った {n} 通のうち", "of {n} sent on that day"),
    "today.messages": ("メッセージ", "Messages"),
    "today.messages.none": ("今日の配信はまだありません", "No messages yet today"),
    "today.messages.none.past": ("この日の配信はありません", "No messages on that day"),
    "today.messages.none.lead": (
        "ジャーニーが送ると決めた結果が、ここに理由とともに並びます。",
        "What became of each message is listed here, with the reason.",
    ),
    "today.reasons": ("送らなかった理由", "Why not sent"),
    "today.reasons.none": ("送らなかったものはありません", "Nothing was kept back"),
    "today.ahead": ("これから", "Ahead"),
    "today.ahead.queued": ("送信待ち", "Queued"),
    "today.ahead.held": ("保留", "Held"),
    "today.waiting": ("待機中のエントリー", "Waiting in journeys"),
    "today.waiting.none": ("待機中のエントリーはありません", "Nobody is waiting"),
    "today.waiting.none.lead": (
        "エントリーしたお客様が、ここにジャーニー別に表示されます。",
        "Customers in journeys are shown here, by journey.",
    ),
    "today.journey": ("ジャーニー", "Journey"),
    "today.all": ("すべて見る", "See all"),
    "promises.title": ("約束の証拠", "Proof of the promises"),
    "promises.lead": (
        "数字を信じるのではなく、数え直せるように。",
        "Not figures to believe, but figures that can be counted again.",
    ),
    "promises.lost.lead": (
        "エントリーの台帳（追記のみ）と、いまの居場所を 1 つのトランザクションで数えます。残差は必ず 0 です。",
        (
            "The ledger of entries, which is only appended to, and where each is now, counted in one transaction."
            " The balance must be 0."
        ),
    ),
    "promises.balance": ("残差", "Balance"),
    "promises.stuck": ("予定なし", "Stuck"),
    "promises.parked": ("処理停止", "Parked"),
    "promises.overdue": ("遅れ", "Overdue"),
    "promises.drift.lead": (
        "すべてのビューを元データから計算し直し、セルごとに比べます（集計とは別の SQL で）。",
        "Every view is computed once more from the facts and compared cell by cell, by SQL written apart.",
    ),
    "promises.drift.go": ("いま照合する", "Compare now"),
    "promises.drift.wait": (
        "件数によっては数分かかります。この間も集計は続きます。",
        "This may take minutes with many facts. Counting goes on meanwhile.",
    ),
    "promises.view": ("ビュー", "View"),
    "promises.cells": ("照合したセル", "Cells compared"),
    "promises.differ": ("ずれ", "Differ"),
    "promises.doubled.lead": (
        (
            "1 通のメッセージについて、2 回の試行がともに「送信した」と記録していないかを数えます。"
            "プロセスの強制終了・ネットワーク断・復元など、あらゆる障害の下での試験は docs/faults.md にあります。"
        ),
        (
            "Messages of which two attempts both say that they sent it. What was tried, with processes killed, networks"
            " cut and databases restored, and with what result, is in docs/faults.md."
        ),
    ),
}
