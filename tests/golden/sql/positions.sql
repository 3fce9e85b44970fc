SELECT start_time_ns AS key, arrival FROM s_1_2_a.spans WHERE arrival < ? AND service_name IN (?, ?) AND start_time_ns >= ? ORDER BY start_time_ns DESC, arrival DESC LIMIT ?
-- 77
-- 'checkout'
-- 'payment'
-- 1789999760123456789
-- 50
