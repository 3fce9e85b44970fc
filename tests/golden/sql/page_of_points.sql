SELECT arrival, service_name, origin, metric_name, unit, type, temporality, is_monotonic, series, time_ns, int_value, double_value, count, sum FROM s_1_2_a.points WHERE arrival < ? AND service_name IN (?, ?) AND time_ns >= ? AND metric_name = ? AND type = ? ORDER BY time_ns DESC, arrival DESC LIMIT ?
-- 77
-- 'checkout'
-- 'payment'
-- 1789999760123456789
-- 'm'
-- 1
-- 11
