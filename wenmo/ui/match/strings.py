"""Strings of the match page."""

from __future__ import annotations

from collections.abc import Mapping

from wenmo.ui.localized import Text

STRINGS: Mapping[str, Text] = {
    "match.intro": Text(
        "左边的每一句，在右边找出意思相同的一句；或在一份清单里找出重复、同类的。",
        "For each text on the left, the one on the right that says the same; in one list, duplicates and groups.",
    ),
    "match.mode": Text("方式", "Mode"),
    "match.mode.two": Text("两份对照", "Two lists"),
    "match.mode.one": Text("一份归组", "One list"),
    "match.source": Text("来源", "Source"),
    "match.source.paste": Text("粘贴", "Paste"),
    "match.source.files": Text("文件", "Files"),
    "match.left": Text("要找的（如客户的问题）", "Look for (such as customers' questions)"),
    "match.right": Text("在其中找（如常见问题）", "Look among (such as an FAQ)"),
    "match.left_file": Text("要找的", "Look for"),
    "match.right_file": Text("在其中找", "Look among"),
    "match.column": Text("文本列", "Column of the text"),
    "match.start": Text("匹配", "Match"),
    "match.start_files": Text("匹配 {left} 条与 {right} 条", "Match {left} with {right}"),
    "match.empty": Text(
        "左右各写几句，一行一句。向量先挑出候选，交叉编码器再逐一判断。",
        "Write some texts on both sides, one per line. Vectors choose candidates, the cross-encoder judges them.",
    ),
    "match.files_empty": Text(
        "左边至多 {left} 行，右边至多 {right} 行；其余列会留在下载的文件里。更多的请用 `wenmo run match`。",
        "At most {left} rows on the left and {right} on the right; the other columns stay in the download. For more, "
        "`wenmo run match`.",
    ),
    "match.threshold": Text("算作匹配的概率下限", "Minimum probability of a match"),
    "match.threshold_help": Text(
        "同义概率不低于此值才算匹配。移动它不必重算。",
        "A match has at least this probability of saying the same. Moving it computes nothing anew.",
    ),
    "match.share": Text("已匹配", "Matched"),
    "match.doubtful": Text("存疑", "Doubtful"),
    "match.doubtful_help": Text(
        "概率离阈值不到 0.15，或次选只差不到 0.1。",
        "The probability is within 0.15 of the threshold, or the next best within 0.1 of the best.",
    ),
    "match.corrected": Text("手工改过", "Corrected by hand"),
    "match.filter": Text("显示", "Show"),
    "match.filter.all": Text("全部 {count}", "All {count}"),
    "match.filter.doubtful": Text("存疑 {count}", "Doubtful {count}"),
    "match.filter.matched": Text("已匹配 {count}", "Matched {count}"),
    "match.filter.unmatched": Text("未匹配 {count}", "Unmatched {count}"),
    "match.none": Text("没有这样的行。", "No such rows."),
    "match.no_match": Text("—", "—"),
    "match.note": Text(
        "每行由向量挑出最近的 {rerank} 条，交叉编码器判断其中哪条说的是同一件事。“匹配”一列可以改，改动会留在下载里。",
        "Vectors choose the {rerank} nearest for each row, and the cross-encoder judges which of them says the same. "
        "The column Match can be changed; what you change is in the download.",
    ),
    "match.correct_help": Text("双击可改选另一条，或改为不匹配。", "Double-click to choose another one, or none."),
    "match.table.left": Text("要找的", "Text"),
    "match.table.match": Text("匹配", "Match"),
    "match.table.row": Text("匹配行号", "Row of match"),
    "match.table.similarity": Text("同义概率", "Probability"),
    "match.table.cosine": Text("余弦", "Cosine"),
    "match.table.other": Text("次选", "Next best"),
    "match.table.next": Text("次选概率", "Next prob."),
    "match.table.by_hand": Text("手工", "By hand"),
    "match.list": Text("文本", "Texts"),
    "match.list_file": Text("一份清单", "A list"),
    "match.group": Text("归组", "Group"),
    "match.group_file": Text("归组 {count} 条", "Group {count} texts"),
    "match.list_empty": Text(
        "写下至少两句，一行一句：意思相近的归为一组。",
        "Write two texts or more, one per line: those that are near become a group.",
    ),
    "match.file_empty": Text(
        "至多 {limit} 行。更多的请用 `wenmo run dedupe`。", "At most {limit} rows. For more, `wenmo run dedupe`."
    ),
    "match.group_threshold": Text("归为一组的余弦下限", "Minimum cosine within a group"),
    "match.group_threshold_help": Text(
        "每组有一条代表，其余各条与它的余弦都不低于此值。只看向量，不大分得清正话与反话。",
        "Each group has a text that represents it, and the others have at least this cosine to it. Vectors alone "
        "decide, which hardly tell a statement from its negation.",
    ),
    "match.no_groups": Text("在此阈值下没有成组的文本。", "No two texts are near at this threshold."),
    "match.groups": Text("{groups} 组，含 {total} 条中的 {texts} 条", "{groups} groups with {texts} of {total} texts"),
    "match.tiles_alt": Text(
        "{groups} 组文本，每组一块，面积为条数", "{groups} groups of texts, a tile each; its area is their number"
    ),
    "match.tiles_note": Text(
        "最大的 {shown} 组，面积为条数，写着代表的那条；指向它可看同组的文本。每组只留代表，{total} 条剩 {kept} 条。",
        "The {shown} largest groups: the area is the number of texts, the words are the representative's; hover for "
        "the others. With the representatives alone, {kept} of {total} texts remain.",
    ),
    "match.table.group": Text("组", "Group"),
    "match.table.text": Text("文本", "Text"),
    "match.table.row_here": Text("行号", "Row"),
    "match.table.representative": Text("代表", "Representative"),
    "match.download_groups": Text("下载全部 CSV", "Download all (CSV)"),
}
