SELECT arrival, service_name, origin, trace_id_high, trace_id_low, span_id, parent_span_id, name, kind, start_time_ns, duration_ns, failed FROM s_1_2_a.spans WHERE arrival < ? AND service_name IN (?, ?) AND start_time_ns >= ? AND start_time_ns <= ? AND (start_time_ns < ? OR arrival < ?) AND start_time_ns >= ? ORDER BY start_time_ns DESC, arrival DESC LIMIT ?
-- 77
-- 'checkout'
-- 'payment'
-- 1789999760123456789
-- 1790000000123456789
-- 1790000000123456789
-- 5
-- 1789999999123456789
-- 11
