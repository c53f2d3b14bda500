"""How the dashboard is laid out: Textual's CSS. Colours are the terminal's own."""

from __future__ import annotations

STYLE = """
Screen { layout: vertical; }
#tabs, #heading, #keys { height: 1; width: 100%; text-wrap: nowrap; text-overflow: ellipsis; }
#views { height: 1fr; }
ServiceTable, LogView, PlanView, EventView { height: 1fr; }
#details { height: 7; border-top: solid ansi_default; text-wrap: nowrap; text-overflow: ellipsis; }
.low #details { height: 5; }
ModalScreen { align: center middle; background: transparent; }
.dialog { width: auto; min-width: 30; max-width: 90%; height: auto; max-height: 90%; }
.dialog { border: round ansi_default; padding: 0 1; }
.dialog.wide { width: 90%; }
.dialog Static { width: auto; max-width: 100%; height: auto; }
.dialog.wide Static { width: 100%; }
.dialog VerticalScroll { height: auto; max-height: 70vh; scrollbar-size-vertical: 1; }
.dialog Input { width: 40; max-width: 100%; }
.keys { text-style: dim; margin-top: 1; }
Toast { max-width: 90%; }
"""
