"""LTV and retention: cohorts, curves and the road from a first to a second order."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
