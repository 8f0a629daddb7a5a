# Appended to the suite's tests/support/util.tcl in the working copy (see README.md).
#
# The replication tests fill a primary with random data of every type. A server that does not have the other types yet gets random
# traffic of the string and generic commands instead, so that the tests still prove what they are about: equal data sets after cut
# links. As soon as the server knows LPUSH, the suite's own generator is used again.

rename createComplexDataset createComplexDatasetOfAllTypes

proc createComplexDataset {r ops {opt {}}} {
    if {![catch {lindex [{*}$r command info lpush] 0} known] && [llength $known] > 0} {
        return [createComplexDatasetOfAllTypes $r $ops $opt]
    }
    for {set j 0} {$j < $ops} {incr j} {
        set k [randomKey]
        set k2 [randomKey]
        set v [randomValue]
        randpath {
            {*}$r set $k $v
        } {
            {*}$r set $k $v
        } {
            {*}$r append $k $v
        } {
            {*}$r setrange $k [randomInt 300] $v
        } {
            catch {{*}$r incrby $k [randomSignedInt 1000]}
        } {
            catch {{*}$r incrbyfloat $k 0.5}
        } {
            catch {{*}$r rename $k $k2}
        } {
            {*}$r copy $k $k2 replace
        } {
            {*}$r mset $k $v $k2 $v
        } {
            {*}$r getdel $k
        } {
            {*}$r del $k $k2
        } {
            {*}$r pexpire $k [expr {1000 + [randomInt 600000]}]
        } {
            {*}$r multi
            {*}$r set $k $v
            {*}$r append $k2 $v
            {*}$r exec
        }
        if {[lsearch -exact $opt useexpire] != -1 && rand() < 0.1} {
            {*}$r expire [randomKey] [randomInt 2]
        }
    }
}
