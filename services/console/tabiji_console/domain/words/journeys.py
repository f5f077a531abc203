"""Words of the pages of journeys."""

from __future__ import annotations

WORDS = {
    "journeys.title": ("ジャーニー", "Journeys"),
    "journeys.lead": (
        "お客様がいまどこにいるか、目標にどれだけ届いたか",
        "Where customers stand, and how many reach the goal",
    ),
    "journeys.name": ("名前", "Name"),
    "journeys.running": ("稼働中", "Running"),
    "journeys.paused": ("一時停止中", "Paused"),
    "journeys.version": ("v{n}", "v{n}"),
    "journeys.entered": ("入った人", "Entered"),
    "journeys.waiting": ("待機中", "Waiting"),
    "journeys.finished": ("完了", "Finished"),
    "journeys.exited": ("離脱", "Exited"),
    "journeys.kept": ("全員の居場所が一致", "Everyone accounted for"),
    "journeys.lost": ("{n} 人の居場所が不明です", "{n} people unaccounted for"),
    "journeys.empty": ("ジャーニーはまだありません", "No journeys yet"),
    "journeys.empty.lead": (
        "YAML で書いたジャーニーを公開すると、ここに表示されます。",
        "A journey that is published, as YAML, is shown here.",
    ),
}
