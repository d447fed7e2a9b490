drop table direct_uploads;
