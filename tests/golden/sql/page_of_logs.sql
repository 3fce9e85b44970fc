SELECT arrival, service_name, origin, trace_id_high, trace_id_low, span_id, time_ns, level FROM s_1_2_a.logs WHERE arrival < ? AND service_name IN (?, ?) AND time_ns >= ? AND span_id = ?::UBIGINT AND level >= ? ORDER BY time_ns DESC, arrival DESC LIMIT ?
-- 77
-- 'checkout'
-- 'payment'
-- 1789999760123456789
-- 12370169555311111083
-- 17
-- 11
