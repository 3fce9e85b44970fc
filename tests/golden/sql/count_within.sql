SELECT count(*) FROM s_1_2_a.spans WHERE arrival < ? AND service_name IN (?, ?)
-- 77
-- 'checkout'
-- 'payment'
