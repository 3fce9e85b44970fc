SELECT count(*) FROM s_1_2_a.spans WHERE arrival < ? AND (false) AND service_name IN (?, ?) AND start_time_ns >= ?
-- 77
-- 'checkout'
-- 'payment'
-- 1789999760123456789
