SELECT count(*) FROM s_1_2_a.spans WHERE arrival < ? AND (arrival >= ? AND arrival < ? OR arrival >= ? AND arrival < ?) AND service_name IN (?, ?) AND start_time_ns >= ?
-- 77
-- 5
-- 9
-- 20
-- 30
-- 'checkout'
-- 'payment'
-- 1789999760123456789
