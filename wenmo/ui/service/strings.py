"""Strings of the service page."""

from __future__ import annotations

from collections.abc import Mapping

from wenmo.ui.localized import Text

STRINGS: Mapping[str, Text] = {
    "service.intro": Text("程序如何调用，服务现在的状态。", "How programs call it, and how it is doing now."),
    "service.now": Text("当前状态", "Now"),
    "service.health": Text("状态", "Health"),
    "service.ready": Text("就绪", "Ready"),
    "service.not_ready": Text(
        "引擎无法启动，请求会得到 503。", "The engine cannot start; calls are answered with 503."
    ),
    "service.waiting": Text("排队请求", "Calls waiting"),
    "service.waiting_help": Text("共 {tokens} 个词元在等待前向计算。", "{tokens} tokens wait for their forward."),
    "service.calls": Text("REST 请求", "REST calls"),
    "service.calls_help": Text(
        "本进程启动以来需要计算的 REST 请求，按状态码：{statuses}。页面上的点击不在其内。",
        "REST calls for work since this process started, by status: {statuses}. Clicks in the app are not among them.",
    ),
    "service.turned_away": Text("因繁忙拒绝", "Turned away"),
    "service.turned_away_help": Text(
        "以 429 或 503 答复的 REST 请求。计算队列另计：拒绝 {queue} 次，含页面点击。",
        "REST calls answered with 429 or 503. The queue counts for itself: {queue}, clicks in the app included.",
    ),
    "service.loaded": Text("已载入的模型：{names}。", "Models in memory: {names}."),
    "service.none_loaded": Text(
        "还没有载入模型，首次使用时载入。", "No model is in memory yet; each loads at its first use."
    ),
    "service.no_calls": Text(
        "还没有请求。复制上面的任一调用试试，或由这里发一个。",
        "No calls yet. Try one of the calls above, or send one from here.",
    ),
    "service.send": Text("发一个请求", "Send a call"),
    "service.batches": Text("每次前向计算的输入条数", "Inputs in a forward"),
    "service.batches_note": Text(
        "自启动以来 {forwards} 次前向，共 {inputs} 条输入，平均每次 {mean} 条；{joined} 个请求与先到的合并计算。",
        "{forwards} forwards of {inputs} inputs since the start, {mean} on average; {joined} calls were "
        "computed along with an earlier one.",
    ),
    "service.batches_alt": Text("每次前向计算的输入条数的直方图", "Histogram of the inputs in a forward"),
    "service.latency": Text("耗时", "Latency"),
    "service.latency_note": Text(
        "毫秒，取最近至多 1,000 个。REST 为整个请求，命中缓存的也算；排队与计算是各任务中到达模型的请求，含页面点击。",
        "Milliseconds, of the last 1,000 at most. REST is the whole call, also where the cache answered; waiting and "
        "computing are of what reached a model, clicks in the app included.",
    ),
    "service.phase": Text("阶段", "Part"),
    "service.phase.rest": Text("REST 请求", "REST call"),
    "service.phase.waited": Text("排队", "Waiting"),
    "service.phase.computed": Text("计算", "Computing"),
    "service.count": Text("个数", "Number"),
    "service.cache": Text("结果缓存", "Cache of results"),
    "service.hit_rate": Text("命中率", "Hit rate"),
    "service.hit_rate_help": Text(
        "{hits} 条输入取自缓存，{misses} 条经过计算。", "{hits} inputs came from the cache, {misses} were computed."
    ),
    "service.saved": Text("约省下", "Saved, about"),
    "service.saved_help": Text(
        "估计值：按已计算输入的平均速度折算，含排队时间。",
        "An estimate: at the mean speed of the inputs that were computed, waiting included.",
    ),
    "service.seconds": Text("{value} 秒", "{value} s"),
    "service.kept": Text("已存结果", "Results kept"),
    "service.kept_help": Text("占用 {used} MiB，上限 {most} MiB。", "They take {used} MiB of at most {most}."),
    "service.how": Text("如何调用", "How to call it"),
    "service.how_note": Text(
        "REST 由 `python -m wenmo serve` 提供；只用 `streamlit run` 启动时没有。"
        "完整说明见 [OpenAPI]({address}/api/openapi.json)。",
        "REST comes with `python -m wenmo serve`, not with `streamlit run` alone. Described in full by "
        "[OpenAPI]({address}/api/openapi.json).",
    ),
    "service.token_note": Text(
        "此服务需要令牌：请把它放进环境变量 `WENMO_API_TOKEN`。",
        "This service wants a token: put it into the environment as `WENMO_API_TOKEN`.",
    ),
    "service.route": Text("路由", "Route"),
    "service.articles": Text("两篇文章的表格，在本机重测", "The articles' tables, measured again"),
    "service.articles_empty": Text(
        "还没有测过。在仓库文件夹中运行下面的命令（约四分钟），结果会显示在这里。",
        "Not measured yet. Run this in the repository's folder (about four minutes), and the result is shown here.",
    ),
    "service.articles_note": Text(
        "{taken}，{machine}，自带的小模型。文章的数字出自别的机器和更大的模型，可比的是前后之比，不是绝对值。",
        "{taken}, {machine}, with the small bundled models. The articles' figures are from other machines and larger "
        "models: compare the ratios of before and after, not the values.",
    ),
    "service.figure": Text("指标", "Figure"),
    "service.there_before": Text("文章·前", "Article, before"),
    "service.there_after": Text("文章·后", "Article, after"),
    "service.here_before": Text("本机·前", "Here, before"),
    "service.here_after": Text("本机·后", "Here, after"),
    "service.stage": Text("阶段", "Stage"),
    "service.stage.load_per_call": Text("每次载入模型", "Model loaded per call"),
    "service.stage.cached_model": Text("模型常驻", "Model kept"),
    "service.stage.workers": Text("多进程", "Several workers"),
    "service.stage.joined": Text("合并计算（本服务）", "Calls joined (this service)"),
    "service.figure.mean_latency_ms": Text("平均延迟 ms", "Mean latency, ms"),
    "service.figure.requests_per_s": Text("QPS（并发 {clients}）", "Requests/s, {clients} clients"),
    "service.figure.p99_ms": Text("P99 延迟 ms（并发 {clients}）", "P99 latency, ms, {clients} clients"),
    "service.figure.requests_per_s_again": Text("QPS，重复提问", "Requests/s, asked again"),
    "service.figure.resident_mib": Text("内存 MiB", "Memory, MiB"),
    "service.figure.load_s": Text("模型载入 s", "Model load, s"),
    "service.figure.f1": Text("F1 %", "F1, %"),
    "service.figure.first_s": Text("首个请求 s", "First call, s"),
    "service.figure.clients": Text("最大并发", "Most clients"),
    "service.articles_legend": Text(
        "斜线前为文章，后为本机。F1 低于文章：这里是自带的小模型，在公开数据集上测；文章是更大的模型，用它自己的数据。"
        "二者不可直接相比，要看的是优化前后有没有变。加速一文的内存是显存。最大并发指 95% 的请求在 1 秒内答复的客户端数"
        "（至多试到 256）。",
        "Article / here. F1 is below the article's: here it is of the small bundled models on public sets, there of a "
        "larger model on data of its own. Compare whether it changes from before to after, not the two. Memory is GPU "
        "memory in the first article. Most clients: as many as get 95% of their answers within 1 s; 256 at most were "
        "tried.",
    ),
}
