SELECT arrival, service_name, origin, trace_id_high, trace_id_low, span_id, time_ns, time_source, observed_time_ns, severity_number, level, severity_text, event_name, body_text, body, attributes, dropped_attributes_count, flags FROM s_1_2_a.logs WHERE arrival < ? AND service_name IN (?, ?) AND time_ns >= ? AND span_id = ?::UBIGINT AND level >= ? AND contains(lower(body_text), lower(?)) ORDER BY time_ns DESC, arrival DESC LIMIT ?
-- 77
-- 'checkout'
-- 'payment'
-- 1789999760123456789
-- 12370169555311111083
-- 17
-- 'Broken'
-- 11
