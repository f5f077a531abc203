"""What became of a message and why, in two or three words and in a sentence."""

from __future__ import annotations

WORDS = {
    "outcome.sent": ("送信", "Sent"),
    "outcome.delivered": ("到達", "Delivered"),
    "outcome.suppressed": ("抑止", "Suppressed"),
    "outcome.failed": ("失敗", "Failed"),
    "outcome.unknown": ("不明", "Unknown"),
    "outcome.queued": ("送信待ち", "Queued"),
    "outcome.held": ("保留", "Held"),
    "outcome.sending": ("送信中", "Sending"),
    "reason.": ("理由なし", "No reason"),
    "reason.no_consent": ("同意なし", "No consent"),
    "reason.no_address": ("宛先なし", "No address"),
    "reason.suppression_list": ("配信停止リスト", "Suppression list"),
    "reason.cap": ("頻度の上限", "Frequency cap"),
    "reason.late": ("期限切れ", "Too late"),
    "reason.cancelled": ("取り消し", "Cancelled"),
    "reason.erased": ("データ消去", "Erased"),
    "reason.quiet": ("夜間・早朝", "Quiet hours"),
    "reason.switch": ("緊急停止", "Kill switch"),
    "reason.brake": ("ブレーキ", "Brake"),
    "reason.restore": ("復元後の停止", "Restored database"),
    "reason.quota": ("月間上限", "Monthly quota"),
    "reason.other_cluster": ("別クラスターで決定", "Decided on another cluster"),
    "reason.key_expired": ("照合期限切れ", "Key expired"),
    "reason.permanent": ("恒久エラー", "Permanent error"),
    "reason.unknown": ("結果不明", "Outcome unknown"),
    "reason.template": ("テンプレート不備", "Template"),
    "reason.no_provider": ("プロバイダーなし", "No provider"),
    "reason.rejected": ("読めない依頼", "Unreadable request"),
    "reason.operator": ("担当者の判断", "Told by a person"),
    "reason.lease": ("応答途絶", "Lease ran out"),
    "reason.holdout": ("ホールドアウト", "Holdout"),
    "why.sent": (
        "同意があり、時間帯・頻度・停止の制限にも当たらず、プロバイダーが受け取りました。",
        "There was consent, nothing held it back, and the provider took it.",
    ),
    "why.sent.operator": ("担当者が「届いた」と判断しました。", "A person settled it as delivered."),
    "why.delivered": ("プロバイダーが受け取り、お客様に届きました。", "The provider took it and says that it arrived."),
    "why.queued": (
        "まだ送っていません。同じお客様の前のメッセージが終わりしだい、順に送ります。",
        "Not sent yet: it goes out in turn, after the customer's earlier messages.",
    ),
    "why.queued.unknown": (
        "前の試行の結果が分からないため、同じ鍵でもう一度確かめています。二重には届きません。",
        "An earlier attempt has no known end: the same key goes out again, which cannot reach the customer twice.",
    ),
    "why.sending": (
        "いま送信中です。結果はまだ記録されていません。",
        "It is on its way now; its end is not recorded yet.",
    ),
    "why.held": ("保留中です：{reason}。", "It is held: {reason}."),
    "why.held.quiet": (
        "夜間・早朝のため、{until} まで待っています。",
        "It waits for quiet hours to end, until {until}.",
    ),
    "why.held.switch": (
        "緊急停止スイッチ（{what}）が入っています。解除すると送ります。",
        "A kill switch is on ({what}). It goes out once the switch is off.",
    ),
    "why.held.brake": (
        "短時間に多すぎたため、ブレーキ（{what}）が止めています。担当者の確認を待っています。",
        "There were too many at once, so a brake holds it ({what}) until a person has looked.",
    ),
    "why.held.restore": (
        "データベースが復元されたため、すべての送信を止めています。",
        "The database was restored or cloned, so every send is held.",
    ),
    "why.held.quota": (
        "{what} の今月の上限に達しました。翌月に送ります。",
        "The month's quota of {what} is used up. It goes out next month.",
    ),
    "why.held.other_cluster": (
        "別の Kafka クラスター（{what}）で決めた送信のため、担当者の判断を待っています。",
        "It was decided on another Kafka cluster ({what}), and waits for a person.",
    ),
    "why.held.key_expired": (
        "届いたかどうか分からず、プロバイダーが照合できる期間も過ぎました。担当者の判断を待っています。",
        "Nobody knows whether it arrived, and the provider has forgotten its key. It waits for a person.",
    ),
    "why.suppressed": ("送らないと決めました：{reason}。", "It was decided not to send it: {reason}."),
    "why.suppressed.no_consent": (
        "このチャネルでの配信に同意がなかったため、送りませんでした。",
        "Not sent: there was no consent for this channel.",
    ),
    "why.suppressed.no_address": (
        "宛先が分からないため、送りませんでした。",
        "Not sent: no address is known for this channel.",
    ),
    "why.suppressed.suppression_list": (
        "宛先が配信停止リストにあるため、送りませんでした。",
        "Not sent: the address is on the suppression list.",
    ),
    "why.suppressed.cap": (
        "お客様への配信数が上限に達していたため、送りませんでした。",
        "Not sent: the customer had as many messages as the cap allows.",
    ),
    "why.suppressed.late": (
        "送ってよい期限を過ぎたため、送りませんでした。",
        "Not sent: it was past the time until which it made sense.",
    ),
    "why.suppressed.cancelled": (
        "送る前にお客様がジャーニーを離れた（購入など）ため、送りませんでした。",
        "Not sent: the customer left the journey first, by buying for example.",
    ),
    "why.suppressed.erased": (
        "お客様のデータが消去されたため、送りませんでした。",
        "Not sent: the customer was erased.",
    ),
    "why.failed": ("送れませんでした：{reason}。", "It could not be sent: {reason}."),
    "why.failed.permanent": (
        "プロバイダーが受け取りを拒みました。同じ内容では何度送っても届きません。",
        "The provider refused it for good: sending it again would not help.",
    ),
    "why.failed.template": (
        "テンプレートに不備があり、文面を作れませんでした。",
        "The template is at fault: no text could be made.",
    ),
    "why.failed.no_provider": (
        "このチャネルを扱うプロバイダーが設定されていません。",
        "No provider is set up for this channel.",
    ),
    "why.failed.operator": ("担当者が「届いていない」と判断しました。", "A person settled it as not delivered."),
    "why.unknown": (
        "プロバイダーの返事が途切れ、届いたかどうか誰にも分かりません。自動では送り直しません。",
        "The provider's answer was cut off: nobody knows whether it arrived. It is not sent again by itself.",
    ),
    "why.after_exit": (
        "（お客様が離れる直前に送信が始まっていました）",
        "(It was under way when the customer left.)",
    ),
    "why.other": ("{reason}", "{reason}"),
}
