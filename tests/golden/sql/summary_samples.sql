SELECT service_name, name, kind, max((duration_ns, trace_id_high, trace_id_low), 3), max((duration_ns, trace_id_high, trace_id_low), 3) FILTER (failed) FROM s_1_2_a.spans WHERE arrival < ? AND service_name IN (?, ?) AND service_name = ? AND start_time_ns >= ? AND start_time_ns < ? AND greatest(duration_ns, 0) >= ? - start_time_ns AND greatest(duration_ns, 0) < ? - start_time_ns GROUP BY service_name, name, kind LIMIT ?
-- 77
-- 'checkout'
-- 'payment'
-- 'checkout'
-- 1789999979999999993
-- 1790000280000000000
-- 1789999980000000000
-- 1790000280000000000
-- 100000
