SELECT metric_name, type, unit, max(arrival), count(*) FROM s_1_2_a.points WHERE arrival < ? AND service_name IN (?, ?) AND service_name = ? AND time_ns >= ? AND time_ns < ? AND hash(metric_name, type, unit) % ?::UBIGINT = ?::UBIGINT GROUP BY metric_name, type, unit LIMIT ?
-- 77
-- 'checkout'
-- 'payment'
-- 'checkout'
-- 1000000000
-- 2000000000
-- 4
-- 3
-- 1000
